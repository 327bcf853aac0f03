"""What a template tells after it was applied: the settings, and what to attach to the daemon."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """One value."""

    name: str
    description: str
    value: str
    """With placeholders, as in the description."""
    when: str = ""


OUTPUTS = (
    Output("ConfigurationSet", "CONFIGURATION_SET", "${ConfigurationSet}"),
    Output("TopicArn", "SNS_TOPIC_ARNS", "${EventsTopic}"),
    Output("EventsQueueUrl", "SNS_EVENTS_QUEUE_URL", "${EventsQueue}", when="EventsThroughSqs"),
    Output("MailQueueUrl", "SQS_QUEUE_URL", "${MailQueue}", when="MailFromSqs"),
    Output("TransactionalQueueUrl", "SQS_TRANSACTIONAL_QUEUE_URL", "${TransactionalQueue}", when="MailFromSqs"),
    Output("DaemonPolicyArn", "To attach to the daemon's user or role", "${DaemonPolicy}"),
    Output("DoctorPolicyArn", "To attach to the user or role that runs doctor", "${DoctorPolicy}"),
)
