"""The AWS query API on the S3 port: IAM's and STS's actions, each a form posted to "/"."""
