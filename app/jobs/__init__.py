"""What runs outside of calls and requests: deliveries, and jobs of the voice side."""
