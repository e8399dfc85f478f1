"""The bundle on one machine: command line, server and provider simulator; nothing in it is deployed."""
