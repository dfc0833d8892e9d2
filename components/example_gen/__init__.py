"""What every ExampleGen shares: settings, records, splits, quarantine, the Beam executor."""
