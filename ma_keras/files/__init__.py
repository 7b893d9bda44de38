"""Files that are whole or absent, disks that are full, archives whose sizes are checked."""
