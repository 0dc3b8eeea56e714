"""The server's half: takes batches from agents and answers when they are stored."""
