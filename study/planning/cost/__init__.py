"""What a plan costs, before it is submitted: work, time, memory, disk."""
