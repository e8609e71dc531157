"""What commands show on a terminal; each module shows one thing."""
