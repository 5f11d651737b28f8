//! Safe anonymous shared-memory segments that another process (an X server) may fill.
