"""What a user can restore, behind one protocol: recordings, pictures, films, stores."""
