# What email_consumer has at AWS; generated, see docs/aws.md.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.75"
    }
  }
}

variable "name" {
  description = "Begins the names of policies, and is the value of the tag"
  type        = string
  default     = "email-consumer"
}

variable "domain" {
  description = "The domain to send from"
  type        = string
}

variable "mail_from_domain" {
  description = "A subdomain for the return path, such as bounce.example.com"
  type        = string
}

variable "create_identity" {
  description = "Whether the domain is new to SES in this region"
  type        = bool
  default     = true
}

variable "configuration_set_name" {
  description = "The setting CONFIGURATION_SET"
  type        = string
  default     = "email-consumer"
}

variable "topic_name" {
  description = "The topic that SES publishes events to"
  type        = string
  default     = "email-consumer-events"
}

variable "events" {
  description = "How events arrive: posted by SNS, or through a queue"
  type        = string
  default     = "https"

  validation {
    condition     = contains(["https", "sqs"], var.events)
    error_message = "events must be one of https, sqs."
  }
}

variable "endpoint_url" {
  description = "With https: SERVER_URL and /v1/events/results"
  type        = string
  default     = ""
}

variable "events_queue_name" {
  description = "With sqs: the queue of SNS_EVENTS_QUEUE_URL"
  type        = string
  default     = "email-consumer-events"
}

variable "mail_queues" {
  description = "Whether SOURCE names sqs"
  type        = bool
  default     = false
}

variable "mail_queue_name" {
  description = "The queue of SQS_QUEUE_URL"
  type        = string
  default     = "email-consumer-mail"
}

variable "transactional_queue_name" {
  description = "That of SQS_TRANSACTIONAL_QUEUE_URL"
  type        = string
  default     = "email-consumer-transactional"
}

variable "suppression_mirror" {
  description = "The setting SUPPRESSION_MIRROR"
  type        = bool
  default     = false
}

locals {
  creates_identity     = var.create_identity
  events_over_https    = var.events == "https"
  events_through_sqs   = var.events == "sqs"
  mail_from_sqs        = var.mail_queues
  mirrors_suppressions = var.suppression_mirror
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

resource "aws_sesv2_email_identity" "identity" {
  count          = local.creates_identity ? 1 : 0
  email_identity = var.domain
}

resource "aws_sesv2_email_identity_mail_from_attributes" "identity" {
  count                  = local.creates_identity ? 1 : 0
  email_identity         = aws_sesv2_email_identity.identity[0].email_identity
  mail_from_domain       = var.mail_from_domain
  behavior_on_mx_failure = "USE_DEFAULT_VALUE"
}

resource "aws_sesv2_configuration_set" "configuration_set" {
  configuration_set_name = var.configuration_set_name
}

resource "aws_sns_topic" "events_topic" {
  name              = var.topic_name
  signature_version = 2
}

resource "aws_sns_topic_policy" "events_topic_policy" {
  arn = aws_sns_topic.events_topic.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "EmailConsumerEvents"
        Effect = "Allow"
        Principal = {
          Service = "ses.amazonaws.com"
        }
        Action   = "sns:Publish"
        Resource = aws_sns_topic.events_topic.arn
        Condition = {
          StringEquals = {
            "AWS:SourceAccount" = data.aws_caller_identity.current.account_id
          }
        }
      },
    ]
  })
}

resource "aws_sesv2_configuration_set_event_destination" "event_destination" {
  configuration_set_name = aws_sesv2_configuration_set.configuration_set.configuration_set_name
  event_destination_name = "email-consumer"
  depends_on             = [aws_sns_topic_policy.events_topic_policy]

  event_destination {
    enabled = true
    matching_event_types = [
      "SEND",
      "DELIVERY",
      "BOUNCE",
      "COMPLAINT",
      "REJECT",
      "DELIVERY_DELAY",
      "RENDERING_FAILURE",
    ]

    sns_destination {
      topic_arn = aws_sns_topic.events_topic.arn
    }
  }
}

resource "aws_sns_topic_subscription" "endpoint_subscription" {
  count     = local.events_over_https ? 1 : 0
  topic_arn = aws_sns_topic.events_topic.arn
  protocol  = "https"
  endpoint  = var.endpoint_url
  delivery_policy = jsonencode({
    healthyRetryPolicy = {
      minDelayTarget  = 20
      maxDelayTarget  = 120
      numRetries      = 45
      backoffFunction = "linear"
    }
  })
}

resource "aws_sqs_queue" "events_dead_letters" {
  count                     = local.events_through_sqs ? 1 : 0
  name                      = "${var.events_queue_name}-dead"
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue" "events_queue" {
  count                     = local.events_through_sqs ? 1 : 0
  name                      = var.events_queue_name
  message_retention_seconds = 1209600
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.events_dead_letters[0].arn
    maxReceiveCount     = 1000
  })
}

resource "aws_sqs_queue_policy" "events_queue_policy" {
  count     = local.events_through_sqs ? 1 : 0
  queue_url = aws_sqs_queue.events_queue[0].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "EmailConsumerEvents"
        Effect = "Allow"
        Principal = {
          Service = "sns.amazonaws.com"
        }
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.events_queue[0].arn
        Condition = {
          ArnEquals = {
            "aws:SourceArn" = aws_sns_topic.events_topic.arn
          }
        }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "queue_subscription" {
  count      = local.events_through_sqs ? 1 : 0
  topic_arn  = aws_sns_topic.events_topic.arn
  protocol   = "sqs"
  endpoint   = aws_sqs_queue.events_queue[0].arn
  depends_on = [aws_sqs_queue_policy.events_queue_policy]
}

resource "aws_sqs_queue" "mail_dead_letters" {
  count                     = local.mail_from_sqs ? 1 : 0
  name                      = "${var.mail_queue_name}-dead"
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue" "mail_queue" {
  count                     = local.mail_from_sqs ? 1 : 0
  name                      = var.mail_queue_name
  message_retention_seconds = 1209600
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.mail_dead_letters[0].arn
    maxReceiveCount     = 1000
  })
}

resource "aws_sqs_queue" "transactional_dead_letters" {
  count                     = local.mail_from_sqs ? 1 : 0
  name                      = "${var.transactional_queue_name}-dead"
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue" "transactional_queue" {
  count                     = local.mail_from_sqs ? 1 : 0
  name                      = var.transactional_queue_name
  message_retention_seconds = 1209600
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.transactional_dead_letters[0].arn
    maxReceiveCount     = 1000
  })
}

resource "aws_iam_policy" "daemon_policy" {
  name = "${var.name}-daemon"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid    = "SendMail"
          Effect = "Allow"
          Action = ["ses:SendEmail"]
          Resource = [
            "arn:${data.aws_partition.current.partition}:ses:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:identity/${var.domain}",
            "arn:${data.aws_partition.current.partition}:ses:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:configuration-set/${var.configuration_set_name}",
            "arn:${data.aws_partition.current.partition}:ses:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:configuration-set/${var.configuration_set_name}-*",
            "arn:${data.aws_partition.current.partition}:ses:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:tenant/*",
          ]
        },
        {
          Sid      = "FollowTheLimits"
          Effect   = "Allow"
          Action   = ["ses:GetAccount"]
          Resource = ["*"]
        },
        {
          Sid      = "ReadReputation"
          Effect   = "Allow"
          Action   = ["ses:ListReputationEntities", "ses:ListRecommendations"]
          Resource = ["*"]
        },
      ],
      local.events_over_https ? [
        {
          Sid      = "ConfirmSubscription"
          Effect   = "Allow"
          Action   = ["sns:ConfirmSubscription"]
          Resource = [aws_sns_topic.events_topic.arn]
        },
      ] : [],
      local.events_through_sqs ? [
        {
          Sid    = "TakeEvents"
          Effect = "Allow"
          Action = [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
          ]
          Resource = [aws_sqs_queue.events_queue[0].arn]
        },
      ] : [],
      local.mail_from_sqs ? [
        {
          Sid    = "TakeMail"
          Effect = "Allow"
          Action = [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
            "sqs:SendMessage",
          ]
          Resource = [
            aws_sqs_queue.mail_queue[0].arn,
            aws_sqs_queue.transactional_queue[0].arn,
          ]
        },
      ] : [],
      local.mail_from_sqs ? [
        {
          Sid    = "KeepDeadLetters"
          Effect = "Allow"
          Action = ["sqs:SendMessage", "sqs:GetQueueUrl"]
          Resource = [
            aws_sqs_queue.mail_dead_letters[0].arn,
            aws_sqs_queue.transactional_dead_letters[0].arn,
          ]
        },
      ] : [],
      local.mirrors_suppressions ? [
        {
          Sid      = "MirrorSuppressions"
          Effect   = "Allow"
          Action   = ["ses:PutSuppressedDestination", "ses:DeleteSuppressedDestination"]
          Resource = ["*"]
        },
      ] : [],
    )
  })
}

resource "aws_iam_policy" "doctor_policy" {
  name = "${var.name}-doctor"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ReadAccount"
          Effect   = "Allow"
          Action   = ["ses:GetAccount"]
          Resource = ["*"]
        },
        {
          Sid    = "ReadIdentities"
          Effect = "Allow"
          Action = ["ses:GetEmailIdentity"]
          Resource = [
            "arn:${data.aws_partition.current.partition}:ses:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:identity/*",
          ]
        },
        {
          Sid    = "ReadEventDestinations"
          Effect = "Allow"
          Action = ["ses:GetConfigurationSet", "ses:GetConfigurationSetEventDestinations"]
          Resource = [
            "arn:${data.aws_partition.current.partition}:ses:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:configuration-set/${var.configuration_set_name}",
          ]
        },
        {
          Sid    = "ReadReputation"
          Effect = "Allow"
          Action = [
            "ses:ListTenants",
            "ses:ListTenantResources",
            "ses:ListReputationEntities",
            "ses:ListRecommendations",
          ]
          Resource = ["*"]
        },
        {
          Sid      = "ReadSubscriptions"
          Effect   = "Allow"
          Action   = ["sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes"]
          Resource = [aws_sns_topic.events_topic.arn]
        },
      ],
      local.events_through_sqs ? [
        {
          Sid      = "CountEvents"
          Effect   = "Allow"
          Action   = ["sqs:GetQueueAttributes"]
          Resource = [aws_sqs_queue.events_queue[0].arn]
        },
      ] : [],
      local.mail_from_sqs ? [
        {
          Sid    = "CountMail"
          Effect = "Allow"
          Action = ["sqs:GetQueueAttributes"]
          Resource = [
            aws_sqs_queue.mail_queue[0].arn,
            aws_sqs_queue.transactional_queue[0].arn,
          ]
        },
      ] : [],
    )
  })
}

output "configuration_set" {
  description = "CONFIGURATION_SET"
  value       = aws_sesv2_configuration_set.configuration_set.configuration_set_name
}

output "topic_arn" {
  description = "SNS_TOPIC_ARNS"
  value       = aws_sns_topic.events_topic.arn
}

output "events_queue_url" {
  description = "SNS_EVENTS_QUEUE_URL"
  value       = local.events_through_sqs ? aws_sqs_queue.events_queue[0].url : null
}

output "mail_queue_url" {
  description = "SQS_QUEUE_URL"
  value       = local.mail_from_sqs ? aws_sqs_queue.mail_queue[0].url : null
}

output "transactional_queue_url" {
  description = "SQS_TRANSACTIONAL_QUEUE_URL"
  value       = local.mail_from_sqs ? aws_sqs_queue.transactional_queue[0].url : null
}

output "daemon_policy_arn" {
  description = "To attach to the daemon's user or role"
  value       = aws_iam_policy.daemon_policy.arn
}

output "doctor_policy_arn" {
  description = "To attach to the user or role that runs doctor"
  value       = aws_iam_policy.doctor_policy.arn
}

output "dkim_tokens" {
  description = "For the DNS: <token>._domainkey.<domain> CNAME <token>.dkim.amazonses.com"
  value       = one(aws_sesv2_email_identity.identity[*].dkim_signing_attributes[0].tokens)
}
