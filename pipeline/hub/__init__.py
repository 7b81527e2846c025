"""Reading the Hugging Face Hub: snapshot sources and accounts."""
