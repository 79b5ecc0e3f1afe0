"""The compare page: what it computes; what visitors see is in `widgets/`. Only `app` and `widgets` use Streamlit."""
