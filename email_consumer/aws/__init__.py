"""What all calls to AWS share: bounded answers, clients that time out."""
