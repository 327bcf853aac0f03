"""What strangers can do to a daemon that has little memory and few descriptors."""
