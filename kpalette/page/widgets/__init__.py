"""The page's widgets, in Streamlit: what a visitor sees and touches. What they show is computed one folder above."""
