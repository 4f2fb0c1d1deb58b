"""What a plan costs, before anything is booked: work, time, memory, disk."""
