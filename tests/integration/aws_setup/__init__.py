"""`email_consumer.aws_setup` against stand-ins: the sandbox is SES, and SNS over HTTP; moto is SQS, IAM, STS, and SNS to SQS."""
