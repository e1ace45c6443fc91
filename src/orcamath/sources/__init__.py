"""Where problems come from. One file is one source; each yields Problems with split and licence."""
