"""The compare page: what it computes, and in `widgets/` what visitors see. Only `app` and `widgets` know Streamlit."""
