"""TFX's Pusher, which also brings the model card and shows nothing half-written."""
