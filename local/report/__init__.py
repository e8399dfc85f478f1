"""The report that people open: one HTML file made from what viz shows, that needs no server and asks nobody for anything."""
