"""ExampleGen of MEDLINE/PubMed citations in XML."""
