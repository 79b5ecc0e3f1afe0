"""The compare page: `streamlit run streamlit_app.py`. All of it lies in `kpalette.page`."""

from kpalette.page.app import main

main()
