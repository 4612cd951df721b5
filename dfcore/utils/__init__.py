"""What every room uses: files, archives, processes, texts."""
