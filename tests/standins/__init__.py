"""Stand-ins for services that development machines do not reach; each speaks what the installed client asks for."""
