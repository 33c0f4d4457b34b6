"""State that replicas share, kept in Redis or Valkey. Without it each goes on by itself."""
