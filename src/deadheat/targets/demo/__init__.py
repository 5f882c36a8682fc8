"""The bundled demo server and its correct twin."""
