"""What cron calls: small jobs that say nothing when all is well."""
