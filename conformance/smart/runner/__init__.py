"""A black-box runner of SMART App Launch 2.2 against any server."""
