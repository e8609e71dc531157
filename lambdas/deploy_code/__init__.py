"""Called by CloudFormation: copies the deployed code of a unit to the address that its jobs read."""
