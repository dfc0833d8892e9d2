"""DataValidator: stops the line on bad data, with the reasons."""
