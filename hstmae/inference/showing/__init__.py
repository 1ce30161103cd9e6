"""What people see of a restoration: a preview, a film of before and after, a report."""
