"""What the compare page does, without its widgets: settings and links, uploads, palettes, results, commands.

No Streamlit here: `streamlit_app.py` and `app/` hold the widgets, and call this.
"""
