"""What has to hold of documents beyond the types of their fields, a file for each part of them."""
