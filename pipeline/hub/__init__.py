"""Reading the Hugging Face Hub: snapshot sources, accounts, and the local Hub that stands in for it."""
