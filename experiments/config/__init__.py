"""From words and YAML to objects: composing, the keys and their rules, and the only place that instantiates."""
