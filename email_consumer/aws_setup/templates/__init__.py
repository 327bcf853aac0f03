"""The description as a CloudFormation template and as a Terraform module, in deploy/aws.

`python -m email_consumer.aws_setup.templates deploy/aws` writes them again.
"""
