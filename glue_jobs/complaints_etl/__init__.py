"""What the Glue jobs call: reading, cleaning, redacting, accounting and publishing complaints."""
