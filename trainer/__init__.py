"""The lesson's trainer: a process that trains MLPs and accounts for the memory it uses."""
