"""What users give, of any kind: found out by content, unpacked, and cleared of what systems leave there."""
