"""The page's widgets, in Streamlit: what a visitor sees and touches. The folder above computes what they show."""
