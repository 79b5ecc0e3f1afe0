"""What people look at: contact sheets, SVG figures, markdown tables."""
