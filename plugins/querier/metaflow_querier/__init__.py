"""Questions over HTTP (``http/``), and the command ``mflow query`` that asks them (``client/``)."""
