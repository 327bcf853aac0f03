"""Whether a message really comes from an SNS topic of ours."""
