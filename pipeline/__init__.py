"""The graphs, their settings and the runners: what runs after what, and how it is started."""
