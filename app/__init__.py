"""The widgets of the compare page; what they ask for is computed in `kpalette.page`."""
