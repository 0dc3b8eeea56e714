"""The rules that come with this plugin; others come from other plugins through the same hook."""
