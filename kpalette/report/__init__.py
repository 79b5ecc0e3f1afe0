"""Reports for people: contact sheets, SVG figures, markdown tables, progress bars."""
