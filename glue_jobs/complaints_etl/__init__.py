"""What the Glue jobs call: reading, cleaning, redacting, accounting and publishing complaints."""

# Raise it if the same files would become other rows. The command line compares it, so it is where no Spark is needed.
PREPARE_VERSION = "8"


class JobError(Exception):
    """A job failed, and the text says why and what to do."""
