package harfanglab

// ShrinkIndex makes the client believe that a listing of alerts or threats pages to so many rows.
func (c *Client) ShrinkIndex(rows int) { c.index = rows }
