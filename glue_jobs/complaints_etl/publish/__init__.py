"""What Publish makes of a scored run: the predictions table, exports, review list, list of rejected rows and report."""
