"""What a notebook shows: ipywidgets' own controls only. Nothing below this layer imports it."""
