"""What changes while requests run: health and load of deployments. Kept in this process."""
